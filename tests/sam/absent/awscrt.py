raise ImportError("not in Lambda's runtime")
