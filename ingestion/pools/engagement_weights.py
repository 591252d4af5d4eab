"""How much each thing that people do says of what they take to: one table for all pools of explore.

Shares are events only, no state that the database keeps. Follows say of no post in particular that it pleased: as items
of their own beside the posts they drew posts apart that followers of one author took to, not together.
"""

LIKE, COMMENT, SAVE = 1.0, 2.0, 2.0
