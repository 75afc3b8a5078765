# STIT Studio in a container: docker compose up --build (compose.yaml), or
#   docker build -t stit-studio . && docker run --rm -p 7860:7860 stit-studio
FROM python:3.11-slim-bookworm AS packages

# The index serves torch for Linux with CUDA. For a machine without a GPU, pass the address of PyTorch's CPU builds, as
# the selector on PyTorch's own "Get started" page prints it, and the image is some gigabytes smaller:
#   docker build --build-arg TORCH_INDEX=<that address> -t stit-studio .
ARG TORCH_INDEX=""
# Further requirements, such as requirements-c2pa.txt.
ARG EXTRAS=""

ENV PIP_NO_CACHE_DIR=1 PATH=/home/studio/venv/bin:$PATH
WORKDIR /build
COPY requirements*.txt ./
# torch first and alone: it is the largest part, changes least, and may come from another index than the rest.
RUN python -m venv /home/studio/venv \
    && grep -E '^torch(vision)?==' requirements.txt > torch.txt \
    && pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -r torch.txt
# face-alignment asks for the OpenCV with windows, which wants libGL and with it 210 MB of Mesa and LLVM.
RUN pip install -r requirements.txt ${EXTRAS:+-r "$EXTRAS"} \
    && opencv="$(sed -n 's/^opencv-python==\([^ ]*\).*/\1/p' requirements.txt)" \
    && pip uninstall -y opencv-python \
    && pip install --no-deps "opencv-python-headless==$opencv"
# What only compilers and test runs need: 380 MB of the CPU build's 2.3 GB.
RUN cd /home/studio/venv/lib/python3.11/site-packages \
    && rm -rf torch/test torch/include \
    && find torch/bin -mindepth 1 ! -name torch_shm_manager -delete \
    && find . -type d -name tests -prune -exec rm -rf {} + \
    && pip uninstall -y pip

FROM python:3.11-slim-bookworm
# Uid 1000 is the one that Spaces give to a container.
RUN useradd --create-home --uid 1000 studio
COPY --from=packages /home/studio/venv /home/studio/venv
WORKDIR /home/studio/app
COPY . .
# Compiled now, as nothing can be written beside it later.
RUN python -m compileall -q app.py page stit_core && install -d -o studio -g studio /home/studio/runs

USER studio
ENV PATH=/home/studio/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    STIT_RUNS=/home/studio/runs \
    STIT_PUBLIC=on

EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 CMD ["python", "-m", "page.server.probe"]
CMD ["python", "app.py"]
