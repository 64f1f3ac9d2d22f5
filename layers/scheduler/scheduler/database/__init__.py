"""MariaDB: connection, statements, what is loaded and what is committed."""
