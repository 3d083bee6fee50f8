module github.com/muster-queue/muster/tools

go 1.26
