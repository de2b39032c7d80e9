# The platform's image: code and locked dependencies, run as user 50000. docker-compose.yml builds it; for Kubernetes
# push it to a registry of yours and name it in kubernetes/values.yaml.
FROM python:3.11.14-slim-bookworm
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
RUN useradd --uid 50000 --create-home ecg && install --directory --owner=ecg --mode=700 /var/lib/ecg
WORKDIR /opt/ecg
COPY requirements.txt ./
RUN pip install --requirement requirements.txt
COPY pyproject.toml LICENSE ./
COPY ecg_core ecg_core
COPY dags dags
COPY plugins plugins
COPY templates templates
COPY sql sql
# Editable: the package finds templates, sql, dags and plugins beside itself.
RUN pip install --no-deps --editable .
USER ecg
