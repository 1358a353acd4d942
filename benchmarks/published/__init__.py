"""What the results look like in docs/performance.md: tables, plots and the charts that they are made of."""
