# The static binary, its configuration and an empty folder for its state; nothing else, and no
# base image. scripts/image builds the binary before: CGO_ENABLED=0 go build -o dist/grove ./cmd/grove
FROM scratch
COPY --chown=65532:65532 scripts/compose/image /
COPY --chown=65532:65532 dist/grove /grove
USER 65532:65532
EXPOSE 8200 8201
VOLUME /data
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=2 CMD ["/grove", "status", "-health", "-address=http://127.0.0.1:8200"]
ENTRYPOINT ["/grove"]
CMD ["server", "-config=/etc/grove"]
