# The binary and nothing else. scripts/up builds it: CGO_ENABLED=0 go build -o dist/grove ./cmd/grove
FROM scratch
COPY dist/grove /grove
EXPOSE 8200 8201
VOLUME /data
ENTRYPOINT ["/grove"]
CMD ["server", "-config=/etc/grove"]
