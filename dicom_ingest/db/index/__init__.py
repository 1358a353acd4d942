"""Patients, studies, series, instances: values, rows, the write, findings."""
