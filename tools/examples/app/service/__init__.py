"""A tiny web service: which of these versions is the newest?"""
