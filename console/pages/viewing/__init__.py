"""What is in a series: pictures and the viewer, instances with their tags, reports, documents."""
