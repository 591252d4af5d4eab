"""`make prose`: checks the documents.

documents  a Markdown file as lines, and as text without code and addresses
glossary   the words that docs/glossary.md replaces
wording    line length, and words that the glossary replaces
references links, files, constants and commands that a document names
decisions  status, date, length and index of the decision records
check      which rule applies to which document
"""
