"""What people read: each kind of output in a file of its own, as lines of plain text."""
