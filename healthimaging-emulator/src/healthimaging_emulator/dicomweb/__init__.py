"""DICOMweb (PS3.18) on a data store: search, retrieve and store, as HealthImaging offers them."""
