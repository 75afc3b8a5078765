# STIT Studio in a container: docker build -t stit-studio . && docker run --rm -p 7860:7860 stit-studio
FROM python:3.11-slim-bookworm

# The index serves torch for Linux with CUDA. For a machine without a GPU, pass the address of PyTorch's CPU builds, as
# the selector on PyTorch's own "Get started" page prints it, and the image is some gigabytes smaller:
#   docker build --build-arg TORCH_INDEX=<that address> -t stit-studio .
ARG TORCH_INDEX=""

# opencv, which face-alignment brings in, loads libGL and glib.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

# Uid 1000 is the one that Spaces give to a container.
RUN useradd --create-home --uid 1000 studio
USER studio
WORKDIR /home/studio/app
ENV PATH=/home/studio/venv/bin:$PATH \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1 \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    STIT_RUNS=/home/studio/runs

# torch first and alone: it is the largest part, changes least, and may come from another index than the rest.
COPY --chown=studio requirements.txt ./
RUN python -m venv /home/studio/venv \
    && grep -E '^torch(vision)?==' requirements.txt > /tmp/torch.txt \
    && pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -r /tmp/torch.txt \
    && pip install -r requirements.txt \
    && mkdir -p /home/studio/runs

COPY --chown=studio . .

EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7860/', timeout=4).close()"]
CMD ["python", "app.py"]
