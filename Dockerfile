# Prediction, and training of classical models; see the page "Installation" of the documentation.
FROM python:3.13-slim
WORKDIR /skgenre
COPY requirements-predict.txt setup.cfg pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --no-deps -r requirements-predict.txt
# The weights of a pretrained network (ISC license), for the most accurate starter model.
RUN pip install --no-cache-dir --no-deps musicnn==0.1.0
COPY skgenre skgenre
RUN pip install --no-cache-dir --no-deps .
USER nobody
ENTRYPOINT ["skgenre"]
