"""The record: the folder that holds an inspection, its types, its writer and its reader; none of them needs torch."""
