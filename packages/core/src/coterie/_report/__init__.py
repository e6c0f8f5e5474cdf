"""``coterie report``: what runs came to, as pictures, tables and a page."""
