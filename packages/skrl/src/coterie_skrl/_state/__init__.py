"""Everything that training changes in an object of skrl, as tensors and plain values, and back."""
