# weir on Debian 12. Build: docker build -t weir .   Run: docker run -p 8080:8080 -v weir-data:/var/lib/weir weir
FROM debian:12-slim AS build
WORKDIR /src
COPY . .
RUN ./dev build

FROM debian:12-slim
# The libraries that the binary is linked against, the zones of calendars, and the authorities of TLS upstreams.
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
      libsimdjson14 libyaml-cpp0.7 libsqlite3-0 libssl3 libfmt9 libmimalloc2.0 libdate-tz3 tzdata libcurl4 zlib1g \
      ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --home-dir /var/lib/weir --create-home weir
COPY --from=build /src/build/release/weir /usr/local/bin/weir
COPY --from=build /src/LICENSE /usr/share/doc/weir/LICENSE
# Reachable from outside the container; everything else is the built-in policy. Mount a file of your own over it.
RUN mkdir -p /etc/weir \
 && printf '%s\n' 'listen: 0.0.0.0:8080' 'admin: { listen: 0.0.0.0:8081, token: "${WEIR_ADMIN_TOKEN}" }' \
      'data: /var/lib/weir/data' > /etc/weir/weir.yaml
USER 10001
WORKDIR /var/lib/weir
VOLUME /var/lib/weir
EXPOSE 8080 8081
ENTRYPOINT ["weir"]
CMD ["serve", "-c", "/etc/weir/weir.yaml"]
