"""The revisions, oldest first by file name. A revision that has been released is never edited."""
