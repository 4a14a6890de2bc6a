"""Tables in text: one rule for what a record is, which detection and archives share.

The rule is that of Python's csv.reader. A record ends at LF, CR LF or CR outside of quotes; blank
lines are no records. A quote counts at the start of a field alone (behind blanks, where the dialect
has them after delimiters); inside a quoted field a doubled quote stands for one, and what follows
the closing quote belongs to the field as it is. A quote left open reaches to the end of the text.
"""
