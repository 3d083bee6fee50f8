package spool_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/agent/spool"
	"github.com/muster-queue/muster/job"
)

// tester is what testing.TB and rapid.T have in common here.
type tester interface {
	Helper()
	Fatal(args ...any)
	Errorf(format string, args ...any)
}

func open(t tester, dir string) *spool.Spool {
	t.Helper()
	s, err := spool.Open(&home.Home{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func id(n int) job.AttemptID { return job.AttemptID{Epoch: 9, N: uint64(n)} }

func add(t tester, s *spool.Spool, n int, report string) {
	t.Helper()
	if err := s.Add(id(n), []byte(report)); err != nil {
		t.Fatal(err)
	}
}

func ack(t tester, s *spool.Spool, ns ...int) {
	t.Helper()
	var ids []job.AttemptID
	for _, n := range ns {
		ids = append(ids, id(n))
	}
	if err := s.Ack(ids...); err != nil {
		t.Fatal(err)
	}
}

func pending(s *spool.Spool) string {
	text := ""
	for _, e := range s.Pending() {
		text += fmt.Sprintf("%d=%s ", e.Attempt.N, e.Report)
	}
	return text
}

func expect(t tester, s *spool.Spool, want string) {
	t.Helper()
	if got := pending(s); got != want {
		t.Errorf("pending %q, want %q", got, want)
	}
}

func TestReportsOutliveTheAgent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	add(t, s, 3, "three")
	add(t, s, 1, "one")
	add(t, s, 2, "two")
	ack(t, s, 1, 99)
	add(t, s, 3, "three again")
	expect(t, s, "2=two 3=three again ")
	again := open(t, dir) // the first was not closed: its agent was killed
	expect(t, again, "2=two 3=three again ")
	ack(t, again, 2, 3)
	expect(t, again, "")
	if info, _ := os.Stat(dir + "/spool"); info.Size() != 0 {
		t.Errorf("%d bytes are left when nothing waits", info.Size())
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, open(t, dir), "")
}

func TestClosed(t *testing.T) {
	s := open(t, t.TempDir())
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Add(id(1), []byte("x")); err != job.ErrClosed {
		t.Error(err)
	}
	if err := s.Ack(id(1)); err != job.ErrClosed {
		t.Error(err)
	}
}

// However the file is cut or damaged, what was whole before is read and the
// spool goes on.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	add(t, s, 1, "one")
	add(t, s, 2, "two")
	whole, err := os.ReadFile(dir + "/spool")
	if err != nil {
		t.Fatal(err)
	}
	first := len(whole) / 2
	for at := range whole {
		for name, content := range map[string][]byte{"cut": whole[:at], "flipped": flip(whole, at)} {
			if err := os.WriteFile(dir+"/spool", content, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir)
			want := ""
			if at >= first {
				want = "1=one "
			}
			expect(t, s, want)
			add(t, s, 5, "five")
			again := open(t, dir)
			expect(t, again, want+"5=five ")
			if t.Failed() {
				t.Fatalf("%s at %d", name, at)
			}
			s.Close()
			again.Close()
		}
	}
}

func flip(b []byte, at int) []byte {
	c := bytes.Clone(b)
	c[at] ^= 0x40
	return c
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("\x0f\x00\x00\x00aaaaaaaaaaaaaaaaaaa"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(dir+"/spool", b, 0o600); err != nil {
			t.Fatal(err)
		}
		open(t, dir).Close()
	})
}

// The file does not grow without bound while some report always waits.
func TestFileIsCompacted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	add(t, s, 0, "never acknowledged")
	report := string(make([]byte, 100<<10))
	for n := 1; n <= 1000; n++ {
		add(t, s, n, report)
		ack(t, s, n)
	}
	if info, _ := os.Stat(dir + "/spool"); info.Size() > 20<<20 {
		t.Errorf("the file has %d bytes", info.Size())
	}
	add(t, s, 1001, "after")
	expect(t, open(t, dir), "0=never acknowledged 1001=after ")
}

func TestVolumeFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip("cannot mount a small volume: ", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	s := open(t, dir)
	add(t, s, 1, "one")
	if err := os.WriteFile(dir+"/ballast", make([]byte, 240<<10), 0o600); err == nil {
		err = os.WriteFile(dir+"/more", make([]byte, 64<<10), 0o600)
		if err == nil {
			t.Fatal("the volume is not full")
		}
	}
	big := bytes.Repeat([]byte("x"), 20<<10)
	if err := s.Add(id(2), big); !job.IsKind(err, job.NoSpace) {
		t.Fatalf("no space: %v", err)
	}
	if n := len(s.Pending()); n != 2 {
		t.Errorf("%d pending: the one that found no space is to be sent, too", n)
	}
	for _, f := range []string{"ballast", "more"} {
		_ = os.Remove(dir + "/" + f)
	}
	add(t, s, 3, "three")
	again := open(t, dir)
	expect(t, again, "1=one 2="+string(big)+" 3=three ")
	again.Close()
	s.Close()
}

// The spool against a map, with restarts in between.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "spool")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s := open(t, dir)
		var model []spool.Entry
		remove := func(n int) {
			for i, e := range model {
				if e.Attempt == id(n) {
					model = append(model[:i:i], model[i+1:]...)
					return
				}
			}
		}
		attempt := rapid.IntRange(0, 5)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				n, text := attempt.Draw(t, "n"), rapid.StringN(1, 10, -1).Draw(t, "report")
				add(t, s, n, text)
				remove(n)
				model = append(model, spool.Entry{Attempt: id(n), Report: []byte(text)})
			},
			"ack": func(t *rapid.T) {
				ns := rapid.SliceOfN(attempt, 0, 3).Draw(t, "ns")
				ack(t, s, ns...)
				for _, n := range ns {
					remove(n)
				}
			},
			"restart": func(t *rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open(t, dir)
			},
			"": func(t *rapid.T) {
				want := ""
				for _, e := range model {
					want += fmt.Sprintf("%d=%s ", e.Attempt.N, e.Report)
				}
				expect(t, s, want)
			},
		})
		s.Close()
	})
}

func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 2*spool.SyncAfter+50*time.Millisecond) // long enough for a sync in between
	defer cancel()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := w; ctx.Err() == nil; n += 4 {
				add(t, s, n, "report")
				if n%100 > 3 {
					ack(t, s, n)
				}
			}
		})
	}
	wg.Wait()
	left := pending(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, open(t, dir), left)
}

func BenchmarkAddAck(b *testing.B) {
	s := open(b, b.TempDir())
	defer s.Close()
	report := make([]byte, 300)
	for n := 0; b.Loop(); n++ {
		if err := s.Add(id(n), report); err != nil {
			b.Fatal(err)
		}
		if n%10 == 9 {
			for i := range 10 {
				ack(b, s, n-i)
			}
		}
	}
}
