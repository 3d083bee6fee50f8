package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/simulate"
	"github.com/muster-queue/muster/simulate/picture"
)

// pictureFormats are the formats of pictures by the ending of their file.
var pictureFormats = map[string]picture.Format{".svg": picture.SVG, ".png": picture.PNG}

func (s *simulation) checkPicture() error {
	if _, ok := pictureFormats[strings.ToLower(filepath.Ext(s.picture))]; s.picture != "" && !ok {
		return job.Errorf(job.Invalid, "--picture %s: a picture's name ends in .svg or .png", s.picture)
	}
	return nil
}

// pictureFile is where the picture of --picture goes. A nil one draws nothing.
type pictureFile struct {
	*os.File
	format picture.Format
	// made: the file was not there before, and goes if nothing is drawn.
	made bool
}

// openPicture opens the file before anything is simulated, so that nobody waits for a
// picture that cannot be written. What is in it stays until there is another.
func (s *simulation) openPicture(results int) (*pictureFile, error) {
	switch {
	case s.picture == "":
		return nil, nil
	case results > picture.MaxResults:
		return nil, job.Errorf(job.Invalid, "--picture: of %d simulations; it can show at most %d", results, picture.MaxResults)
	}
	path := s.app.path(s.picture)
	_, err := os.Stat(path)
	made := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // like any picture that one makes
	if err != nil {
		return nil, job.Errorf(job.Invalid, "write the picture: %w", err)
	}
	return &pictureFile{f, pictureFormats[strings.ToLower(filepath.Ext(s.picture))], made}, nil
}

// draw writes the picture.
func (p *pictureFile) draw(results []*simulate.Result) error {
	if p == nil {
		return nil
	}
	b, err := picture.Draw(results, p.format)
	if err != nil {
		return job.Wrap(err, "", "--picture")
	}
	p.made = false
	err = p.Truncate(0)
	if err == nil {
		_, err = p.Write(b)
	}
	if err != nil {
		return job.Errorf(job.Invalid, "write the picture: %w", err)
	}
	return nil
}

// close ends it; a file that was made for nothing goes.
func (p *pictureFile) close() {
	if p == nil {
		return
	}
	_ = p.Close()
	if p.made {
		_ = os.Remove(p.Name())
	}
}
