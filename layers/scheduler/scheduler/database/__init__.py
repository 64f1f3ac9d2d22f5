"""MariaDB: the connection, and every SQL statement that several functions use."""
