"""Where Celery's worker finds its application."""

from benchmarks._scheduler_peers import celery_app

app = celery_app()
