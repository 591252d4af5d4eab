"""`make policy`: write the table into docs/security.md."""

from tools.policy import DOCUMENT, with_table

DOCUMENT.write_text(with_table(DOCUMENT.read_text()))
