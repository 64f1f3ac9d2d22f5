"""How often a user's payments failed, in DynamoDB."""
