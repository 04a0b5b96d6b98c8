# Prediction, and training of classical models; see the page "Installation" of the documentation.
FROM python:3.13-slim
WORKDIR /skgenre
COPY requirements-predict.txt setup.cfg pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --no-deps -r requirements-predict.txt
COPY skgenre skgenre
RUN pip install --no-cache-dir --no-deps .
USER nobody
ENTRYPOINT ["skgenre"]
