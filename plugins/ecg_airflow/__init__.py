"""What Airflow loads beside the DAGs: shared defaults and assets, and the report browser."""
