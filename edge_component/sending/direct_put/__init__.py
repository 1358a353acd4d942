"""PutObject of a spool file without botocore's machinery: prepared by it once, signed by it, sent by us.

botocore spends five to ten times as much processor time on a small object as the bytes need. Whatever this
room does not know (proxies, directory buckets, redirects) goes through botocore's client as before.
"""
