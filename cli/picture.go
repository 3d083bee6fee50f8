package cli

import (
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

// draw writes the picture of --picture.
func (s *simulation) draw(results []*simulate.Result) error {
	if s.picture == "" {
		return nil
	}
	b, err := picture.Draw(results, pictureFormats[strings.ToLower(filepath.Ext(s.picture))])
	if err != nil {
		return job.Wrap(err, "", "--picture")
	}
	if err := os.WriteFile(s.app.path(s.picture), b, 0o644); err != nil {
		return job.Errorf(job.Invalid, "write the picture: %w", err)
	}
	return nil
}
