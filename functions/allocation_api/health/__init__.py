"""What the API depends on: is it there?"""
