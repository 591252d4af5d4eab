"""`make photo-cases`: compares what the photo path makes of files with what it should make of them.

manifest   the cases of a folder, read from a tab-separated table
references the picture that another program, or a file, shows
comparison what a photo came out as, against its case
"""
