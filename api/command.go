package api

import (
	"maps"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// command sets those fields of c that m has.
func (r *reader) command(c *job.Command, m *musterv1.Command) {
	if len(m.Argv) > 0 || m.Line != "" {
		c.Argv, c.Line = m.Argv, m.Line
	}
	set(&c.Shell, m.Shell)
	set(&c.Dir, m.Dir)
	set(&c.DirGiven, m.DirGiven)
	set(&c.ChangeHome, m.ChangeHome)
	set(&c.EnvID, m.EnvId)
	set(&c.User, m.User)
	set(&c.UnixGroup, m.UnixGroup)
	set(&c.Image, m.Image)
	set(&c.Runtime, m.Runtime)
	set(&c.MonitorContainer, m.MonitorContainer)
	set(&c.Emulate, m.Emulate)
	set(&c.Grace, r.duration("command.grace", m.Grace))
	set(&c.Keep, int(m.Keep))
	set(&c.Spool, m.Spool)
	if m.Batch != nil {
		c.Batch = toBatch(m.Batch)
	}
	join(&c.Env, m.Env)
	join(&c.EnvUnset, m.EnvUnset)
	join(&c.ContainerMounts, m.ContainerMounts)
	join(&c.Modules, m.Modules)
	join(&c.Mounts, eachOf(m.Mounts, toMount))
	join(&c.Inputs, eachOf(m.Inputs, toFile))
	join(&c.Outputs, eachOf(m.Outputs, toFile))
	join(&c.OnSuccess, eachOf(m.OnSuccess, toBehaviour))
	join(&c.OnFailure, eachOf(m.OnFailure, toBehaviour))
	join(&c.OnExit, eachOf(m.OnExit, toBehaviour))
	merge(&c.PlacementOptions, m.PlacementOptions)
	merge(&c.Secrets, m.Secrets)
}

// merge puts more over what is in a map, which others may share.
func merge(at *map[string]string, more map[string]string) {
	if len(more) == 0 {
		return
	}
	both := make(map[string]string, len(*at)+len(more))
	maps.Copy(both, *at)
	maps.Copy(both, more)
	*at = both
}

func toMount(m *musterv1.Mount) job.Mount {
	return job.Mount{Dir: m.Dir, Cache: m.Cache, Retries: int(m.Retries), Targets: eachOf(m.Targets, toMountTarget)}
}

func toMountTarget(m *musterv1.MountTarget) job.MountTarget {
	return job.MountTarget{Profile: m.Profile, Path: m.Path, Cache: m.Cache, Write: m.Write}
}

func toFile(m *musterv1.File) job.File { return job.File{Path: m.Path, Digest: m.Digest} }

func toBehaviour(m *musterv1.Behaviour) job.Behaviour {
	return job.Behaviour{Run: m.Run, Cleanup: m.Cleanup, Remove: m.Remove, KeepDays: int(m.KeepDays)}
}

func (w *writer) command(c *job.Command) *musterv1.Command {
	if c == nil {
		return nil
	}
	return &musterv1.Command{
		Argv: w.texts(c.Argv), Line: w.text(c.Line), Shell: w.text(c.Shell),
		Dir: w.text(c.Dir), DirGiven: c.DirGiven, ChangeHome: c.ChangeHome,
		EnvId: w.text(c.EnvID), Env: w.texts(c.Env), User: w.text(c.User), UnixGroup: w.text(c.UnixGroup),
		Image: w.text(c.Image), Runtime: w.text(c.Runtime), ContainerMounts: w.texts(c.ContainerMounts),
		MonitorContainer: w.text(c.MonitorContainer), Modules: w.texts(c.Modules),
		Mounts: each(c.Mounts, w.mount), Inputs: each(c.Inputs, w.file), Outputs: each(c.Outputs, w.file),
		OnSuccess: each(c.OnSuccess, w.behaviour), OnFailure: each(c.OnFailure, w.behaviour), OnExit: each(c.OnExit, w.behaviour),
		Emulate: w.text(c.Emulate), Grace: FromDuration(c.Grace), Keep: i32(c.Keep), Spool: c.Spool,
		PlacementOptions: w.options(c.PlacementOptions), Batch: w.batch(c.Batch),
		EnvUnset: w.texts(c.EnvUnset), Secrets: w.options(c.Secrets),
	}
}

func (w *writer) options(options map[string]string) map[string]string {
	var out map[string]string
	for k, v := range options {
		if out == nil {
			out = make(map[string]string, len(options))
		}
		out[w.text(k)] = w.text(v)
	}
	return out
}

func (w *writer) mount(m *job.Mount) *musterv1.Mount {
	return &musterv1.Mount{Dir: w.text(m.Dir), Cache: w.text(m.Cache), Retries: i32(m.Retries), Targets: each(m.Targets, w.mountTarget)}
}

func (w *writer) mountTarget(t *job.MountTarget) *musterv1.MountTarget {
	return &musterv1.MountTarget{Profile: w.text(t.Profile), Path: w.text(t.Path), Cache: t.Cache, Write: t.Write}
}

func (w *writer) file(f *job.File) *musterv1.File {
	return &musterv1.File{Path: w.text(f.Path), Digest: w.text(f.Digest)}
}

func (w *writer) behaviour(b *job.Behaviour) *musterv1.Behaviour {
	return &musterv1.Behaviour{Run: w.text(b.Run), Cleanup: b.Cleanup, Remove: b.Remove, KeepDays: i32(b.KeepDays)}
}
