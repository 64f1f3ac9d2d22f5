"""The number of a user's failed payments, kept in DynamoDB."""
