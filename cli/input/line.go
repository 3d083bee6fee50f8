package input

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/muster-queue/muster/job"
)

var errTooLong = job.Errorf(job.Invalid, "longer than %d MiB, the most a line may have", MaxLine>>20)

// lineReader cuts a stream into lines of bounded length.
type lineReader struct {
	r      *bufio.Reader
	long   []byte // holds a line that is larger than r's buffer
	number int
}

func newLineReader(r io.Reader) lineReader {
	return lineReader{r: bufio.NewReaderSize(r, 64<<10)}
}

// next is the next line, without its end, valid until the following call. Of a
// line that is too long the rest is skipped.
func (l *lineReader) next() ([]byte, error) {
	l.number++
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.nextLong(line)
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		err = nil
	}
	if l.number == 1 {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")) // a byte order mark
	}
	return line, err
}

func (l *lineReader) nextLong(start []byte) ([]byte, error) {
	l.long = append(l.long[:0], start...)
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.long)+len(part) > MaxLine+1 {
			return nil, l.skip(err)
		}
		l.long = append(l.long, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.long, err
		}
	}
}

func (l *lineReader) skip(err error) error {
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = l.r.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return errTooLong
}
