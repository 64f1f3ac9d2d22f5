"""The files of the migrations, whose names give their order."""

from scheduler.database.migrate import MIGRATIONS


def test_each_migration_has_a_number_of_its_own() -> None:
    numbers = sorted(file.name[:4] for file in MIGRATIONS.glob("*.sql"))

    assert numbers == sorted(set(numbers))
    assert len(numbers) > 10
