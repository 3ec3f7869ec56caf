"""One file for each revision, named as its folder of SQL."""
