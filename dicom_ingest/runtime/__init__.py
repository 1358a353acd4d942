"""What a Lambda function runs in: settings, clients, step, trace."""
