# The app in a container, as a user without rights who writes below /data and /tmp alone. compose.yaml starts it.
#   docker build -t cadrecode .                                  for a CPU
#   docker build -t cadrecode:cuda --build-arg DEVICE=cuda .     for an NVIDIA GPU
# With --build-arg TORCH_INDEX=ADDRESS, PyTorch's own index of builds for CPUs, the first is several GB smaller.
ARG DEVICE=cpu

FROM python:3.11-slim-bookworm AS system
# OpenCASCADE is linked to OpenGL and expat.
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libexpat1 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --no-create-home --home-dir /data --shell /usr/sbin/nologin cadrecode \
    && mkdir /data && chown cadrecode /data
WORKDIR /app
COPY requirements.lock ./

FROM system AS packages-cpu
ARG TORCH_INDEX=
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url ${TORCH_INDEX}} "torch==2.13.*"
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

FROM system AS packages-cuda
RUN pip install --no-cache-dir "torch==2.13.*"
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM packages-${DEVICE} AS app
COPY LICENSE app.py ./
COPY assets assets
COPY configs configs
COPY cadrecode cadrecode
RUN python -m compileall -q cadrecode
ENV HOME=/data HF_HOME=/data/hub PYTHONUTF8=1 PYTHONUNBUFFERED=1
USER 1000
VOLUME /data
EXPOSE 7860
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 7860), 5)"]
ENTRYPOINT ["python", "-m", "cadrecode"]
CMD ["app", "--host", "0.0.0.0", "--runs_dir", "/data/runs"]
