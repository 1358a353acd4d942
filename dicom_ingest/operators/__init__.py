"""What people ask and do again: read models, reprocessing. For console and command line, not for Lambda."""
