"""Small resources that several rooms make, and their names: log groups, queues, logical ids."""
