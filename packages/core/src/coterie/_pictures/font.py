"""Letters of three by five pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

HEIGHT = 5

# An octal digit per row, from the top: its three bits are the pixels of the row.
_ROWS = {
    "A": "25755", "B": "65656", "C": "34443", "D": "65556", "E": "74647", "F": "74644",
    "G": "34553", "H": "55755", "I": "72227", "J": "11152", "K": "55655", "L": "44447",
    "M": "57755", "N": "65555", "O": "25552", "P": "65644", "Q": "25563", "R": "65655",
    "S": "34216", "T": "72222", "U": "55557", "V": "55552", "W": "55775", "X": "55255",
    "Y": "55222", "Z": "71247", "0": "75557", "1": "26227", "2": "61247", "3": "61216",
    "4": "55711", "5": "74616", "6": "34652", "7": "71122", "8": "25252", "9": "25316",
    "-": "00700", "_": "00007", ".": "00002", ":": "02020", "=": "07070", "+": "02720",
    "/": "11244", ",": "00024", "(": "24442", ")": "21112", "[": "64446", "]": "31113",
    "#": "57575", "%": "51245", "@": "75743", "*": "05250", " ": "00000", "?": "61202",
}  # fmt: skip


def written(text: str) -> npt.NDArray[np.bool_]:
    """Write a text: where there is ink, bool ``[5, 4 * len(text)]``.

    Letters become capitals; what is not known becomes a question mark.
    """
    rows = [_ROWS.get(letter, _ROWS["?"]) for letter in text.upper()]
    ink = np.zeros((HEIGHT, 4 * len(rows)), np.bool_)
    for index, digits in enumerate(rows):
        for row, digit in enumerate(digits):
            for column in range(3):
                ink[row, 4 * index + column] = bool(int(digit, 8) >> (2 - column) & 1)
    return ink
