# One node of Sluice: docker build -t sluice --build-arg REVISION="$(git rev-parse HEAD)" .
#
# Debian 13 or newer: the native library for Node 24 needs its glibc, and there is none for musl.
ARG NODE_IMAGE=node:24-trixie-slim

# The package.json files alone, so that a changed source does not install everything again.
FROM ${NODE_IMAGE} AS manifests
WORKDIR /sluice
COPY package.json package-lock.json .npmrc ./
COPY apps apps
COPY packages packages
RUN find apps packages -type f ! -name package.json -delete && \
    find apps packages -type d -empty -delete

FROM ${NODE_IMAGE} AS build
WORKDIR /sluice
COPY --from=manifests /sluice ./
RUN npm ci --ignore-scripts
COPY . ./
RUN npm run build
# What the node runs and nothing else, in the places where it looks for it.
RUN node scripts/image-tree.mjs /out && \
    cp deploy/docker/healthcheck.mjs /out && \
    npm run -s sbom > /out/sbom.cdx.json

FROM ${NODE_IMAGE} AS modules
WORKDIR /sluice
COPY --from=manifests /sluice ./
RUN npm ci --ignore-scripts --omit=dev -w @sluice/cli
# A tarball of the authors' own release, by URL, in place of the republication (docs/internals/supply-chain.md).
ARG UWEBSOCKETS_TARBALL=
RUN if [ -n "$UWEBSOCKETS_TARBALL" ]; then \
      tar -xzf "$(npm pack --silent "$UWEBSOCKETS_TARBALL")" -C node_modules/uWebSockets.js --strip-components=1; \
    fi
COPY supply-chain supply-chain
# uWebSockets.js comes with a library for every platform and version of Node; one of them is loaded,
# and its bytes must be listed, as those of the JavaScript that loads it.
RUN cd node_modules/uWebSockets.js && \
    library="uws_$(node -p '[process.platform, process.arch, process.versions.modules].join("_")').node" && \
    for file in "$library" uws.js ESM_wrapper.mjs; do \
      grep -qxF "$(sha256sum "$file")" ../../supply-chain/uwebsockets.sha256 || exit 1; \
    done && \
    find . -type f ! -name "$library" ! -name uws.js ! -name ESM_wrapper.mjs ! -name package.json ! -name LICENSE -delete && \
    cd .. && find . -type f '(' -name '*.map' -o -name '*.md' -o -name '*.d.ts' -o -name '*.d.mts' \
      -o -name '*.d.cts' ')' -delete && \
    find . -type d -empty -delete

FROM ${NODE_IMAGE}
ARG NODE_IMAGE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Sluice" \
      org.opencontainers.image.description="A Redis-backed, horizontally scaled WebSocket gateway cluster for AI-agent sessions" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${NODE_IMAGE}"
# Large buffers go back to the system as soon as they are free (docs/operate/operations.md).
ENV NODE_ENV=production MALLOC_MMAP_THRESHOLD_=131072
WORKDIR /sluice
COPY --from=modules /sluice/node_modules node_modules
COPY --from=build /out ./
# A number, so that Kubernetes sees that it is not root. Nothing is written: the root file system may be
# read-only, and the files belong to root.
USER 1000:1000
EXPOSE 8765
HEALTHCHECK --interval=5s --timeout=5s --start-period=15s --retries=2 \
  CMD ["node", "/sluice/healthcheck.mjs"]
# Without a shell or an init: the node is process 1 and gets SIGTERM itself.
ENTRYPOINT ["node", "/sluice/bin/sluice"]
CMD ["start"]
