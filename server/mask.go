package server

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// maxMask bounds the fields of one change.
const maxMask = 100

// editor makes of a request what changes a job's description. It is tried once
// before, so that a bad request changes nothing.
func editor(m *v1.ModifyJobsRequest) (func(*job.Job) error, error) {
	changes := m.Changes
	if changes == nil {
		changes = &v1.Job{}
	}
	fields := mask(m.UpdateMask, changes)
	for _, f := range fields {
		if root, _, _ := strings.Cut(f, "."); root == "encoded" {
			return nil, job.Errorf(job.Invalid, "update_mask: name what of the description is to change, not its stored form")
		}
	}
	if err := applyMask(&v1.Job{}, changes, fields); err != nil {
		return nil, err
	}
	return func(j *job.Job) error {
		whole := api.FromJob(j)
		if len(whole.Encoded) > 0 {
			return job.Errorf(job.Conflict, "job %s has text that is not UTF-8 and cannot be changed in parts; add it again with existing=replace", api.KeyText(j.Key))
		}
		if err := applyMask(whole, changes, fields); err != nil {
			return err
		}
		edited, err := api.ToJob(whole)
		if err == nil {
			*j = *edited
		}
		return err
	}, nil
}

// mask are the fields to change: those named, else those that are set.
func mask(named *fieldmaskpb.FieldMask, changes proto.Message) []string {
	if fields := named.GetPaths(); len(fields) > 0 {
		return fields
	}
	var fields []string
	changes.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		fields = append(fields, string(f.Name()))
		return true
	})
	slices.Sort(fields)
	return fields
}

// applyMask sets the fields of dst to what they are in src.
func applyMask(dst, src proto.Message, fields []string) error {
	if len(fields) == 0 {
		return job.Errorf(job.Invalid, "update_mask: it names nothing to change")
	}
	if len(fields) > maxMask {
		return job.Errorf(job.Invalid, "update_mask: %d fields; at most %d", len(fields), maxMask)
	}
	for _, path := range fields {
		if !setPath(dst.ProtoReflect(), src.ProtoReflect(), path) {
			return job.Errorf(job.Invalid, "update_mask: there is no field %.60q", path)
		}
	}
	return nil
}

// setPath sets one field: "priority", "command.env", or of a map "needs.mem".
func setPath(dst, src protoreflect.Message, path string) bool {
	name, rest, nested := strings.Cut(path, ".")
	f := dst.Descriptor().Fields().ByName(protoreflect.Name(name))
	switch {
	case f == nil:
		return false
	case !nested && src.Has(f):
		dst.Set(f, src.Get(f))
	case !nested:
		dst.Clear(f)
	case f.IsMap() && f.MapKey().Kind() == protoreflect.StringKind:
		setEntry(dst, src, f, protoreflect.ValueOfString(rest).MapKey())
	case f.Message() == nil || f.IsList() || f.IsMap():
		return false
	default:
		return setPath(dst.Mutable(f).Message(), src.Get(f).Message(), rest)
	}
	return true
}

func setEntry(dst, src protoreflect.Message, f protoreflect.FieldDescriptor, key protoreflect.MapKey) {
	if v := src.Get(f).Map().Get(key); v.IsValid() {
		dst.Mutable(f).Map().Set(key, v)
		return
	}
	if dst.Has(f) {
		dst.Mutable(f).Map().Clear(key)
	}
}
