package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/muster-queue/muster/job"
)

func testPayloads(t *testing.T, f Factory) {
	s, ns := open(t, f)
	var c job.Changes
	for seq := job.Seq(1); seq <= 50; seq++ {
		c.Payloads = append(c.Payloads, description(seq, 1, int(seq)), description(seq, 300, 0))
	}
	commit(t, ns, &c)
	_, ns = reopen(t, f, s, ns)
	refs := []job.PayloadRef{{Seq: 50, Version: 300}, {Seq: 7, Version: 1}, {Seq: 7, Version: 2}, {Seq: 8, Version: 1}, {Seq: 99, Version: 1}, {Seq: 1, Version: 1}}
	got, err := ns.Payloads(refs)
	ok(t, err)
	want := []job.Payload{description(50, 300, 0), description(7, 1, 7), {Seq: 7, Version: 2}, description(8, 1, 8), {Seq: 99, Version: 1}, description(1, 1, 1)}
	samePayloads(t, got, want)
	if got[0].Body == nil {
		t.Fatal("an empty description is told as missing")
	}
	if got, err := ns.Payloads(nil); len(got) != 0 || err != nil {
		t.Fatalf("no descriptions: %v, %v", got, err)
	}
}

func testPayloadsFrom(t *testing.T, f Factory) {
	s, ns := open(t, f)
	var c job.Changes
	for seq := job.Seq(10); seq <= 30; seq += 2 {
		c.Payloads = append(c.Payloads, description(seq, 1, 100), description(seq, 2, 100), description(seq, 3, 100))
	}
	commit(t, ns, &c)
	_, ns = reopen(t, f, s, ns)
	check := func(seq job.Seq, n, bytes int, want ...job.Seq) {
		t.Helper()
		got, err := ns.PayloadsFrom(seq, n, bytes)
		ok(t, err)
		var all []job.Payload
		for _, s := range want {
			all = append(all, description(s, 3, 100))
		}
		samePayloads(t, got, all)
	}
	check(11, 3, 1<<20, 12, 14, 16)
	check(0, 2, 1<<20, 10, 12)
	check(10, 100, 250, 10, 12, 14)
	check(28, 100, 1<<20, 28, 30)
	check(31, 100, 1<<20)
}

func testLargePayloads(t *testing.T, f Factory) {
	s, ns := open(t, f)
	sizes := []int{64 << 10, 64<<10 + 1, 1 << 20, 3 << 20}
	var c job.Changes
	var refs []job.PayloadRef
	for i, size := range sizes {
		c.Payloads = append(c.Payloads, description(job.Seq(i), 1, size), description(job.Seq(i+10), 1, size))
		refs = append(refs, job.PayloadRef{Seq: job.Seq(i), Version: 1}, job.PayloadRef{Seq: job.Seq(i + 10), Version: 1})
	}
	c.Payloads[3].Body = bytes.Clone(c.Payloads[2].Body) // the same content twice
	commit(t, ns, &c)
	s, ns = reopen(t, f, s, ns)
	got, err := ns.Payloads(refs)
	ok(t, err)
	samePayloads(t, got, c.Payloads)
	commit(t, ns, &job.Changes{Deleted: []job.Seq{1}}) // its content stays with job 11
	_, ns = reopen(t, f, s, ns)
	got, err = ns.Payloads(refs[2:4])
	ok(t, err)
	samePayloads(t, got, []job.Payload{{Seq: 1, Version: 1}, c.Payloads[3]})
}

// BlobOf names content.
func BlobOf(body []byte) job.Blob {
	sum := sha256.Sum256(body)
	return job.Blob{Digest: hex.EncodeToString(sum[:]), Body: body}
}

func testBlobs(t *testing.T, f Factory) {
	s, ns := open(t, f)
	blobs := []job.Blob{BlobOf([]byte("small")), BlobOf(nil), BlobOf(bytes.Repeat([]byte("large"), 50_000))}
	commit(t, ns, &job.Changes{Blobs: blobs})
	commit(t, ns, &job.Changes{Blobs: blobs}) // again is no error
	_, ns = reopen(t, f, s, ns)
	for _, b := range blobs {
		got, err := ns.Blob(b.Digest)
		ok(t, err)
		if !bytes.Equal(got, b.Body) {
			t.Fatalf("blob %s has other content", b.Digest)
		}
		has, err := ns.HasBlob(b.Digest)
		ok(t, err)
		same(t, "has blob", has, true)
	}
	absent := BlobOf([]byte("absent")).Digest
	_, err := ns.Blob(absent)
	fails(t, "a blob that is absent", err, job.NotFound)
	has, err := ns.HasBlob(absent)
	ok(t, err)
	same(t, "has blob", has, false)
	large := job.Blob{Digest: absent, Body: blobs[2].Body}
	fails(t, "a blob with the wrong digest", Commit(ns, &job.Changes{Blobs: []job.Blob{large}}), job.Invalid)
}
