package input

import (
	"fmt"
	"io"
	"os"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/muster-queue/muster/job"
)

// maxDocument bounds a file of configuration, in bytes.
const maxDocument = 16 << 20

// ReadDocument reads a dictionary from a file in YAML or JSON: a configuration, a
// work spec. Moments in it become texts.
func ReadDocument(path string) (map[string]any, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, job.Errorf(job.NotFound, "read %s: %w", path, err)
	}
	defer func() { _ = f.Close() }()
	return ReadDocumentFrom(path, f)
}

// ReadDocumentFrom reads a dictionary in YAML or JSON; name is what messages call
// where it comes from.
func ReadDocumentFrom(name string, r io.Reader) (map[string]any, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, job.Errorf(job.Invalid, "read %s: %w", name, err)
	}
	if len(b) > maxDocument {
		return nil, job.Errorf(job.Invalid, "read %s: it has more than %d bytes", name, maxDocument)
	}
	return ParseDocument(name, b)
}

// ParseDocument reads a dictionary in YAML or JSON; name is what messages call it.
func ParseDocument(name string, b []byte) (map[string]any, error) {
	var document any
	if err := yaml.Unmarshal(b, &document); err != nil {
		return nil, job.Errorf(job.Invalid, "%s: %w", name, err)
	}
	m, ok := plainYAML(document).(map[string]any)
	if !ok {
		return nil, job.Errorf(job.Invalid, "%s: it must be a dictionary (name: value), in YAML or JSON", name)
	}
	return m, nil
}

// plainYAML is a document of what YAML and JSON have in common, but for the keys of
// dictionaries, which may be numbers.
func plainYAML(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = plainYAML(value)
		}
	case map[any]any:
		for key, value := range v {
			v[key] = plainYAML(value)
		}
	case []any:
		for i := range v {
			v[i] = plainYAML(v[i])
		}
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format(time.DateOnly)
		}
		return v.Format(time.RFC3339Nano)
	case fmt.Stringer:
		return v.String()
	}
	return v
}
