package job

import (
	"maps"
	"slices"
	"strings"
)

// SecretSource is where the value of a secret is.
type SecretSource string

// The sources of secrets.
const (
	// SecretStore: the server keeps it, sealed.
	SecretStore SecretSource = "store"
	// SecretFile: a file in the agent's directory of secrets.
	SecretFile SecretSource = "file"
	// SecretEnv: a variable of the agent's own environment.
	SecretEnv SecretSource = "env"
)

// MaxSecret is the most bytes a secret may have.
const MaxSecret = 64 << 10

// SecretRef names a secret; its value is nowhere in a job.
type SecretRef struct {
	Source SecretSource
	Name   string
}

// String is the reference as ParseSecretRef reads it.
func (r SecretRef) String() string { return string(r.Source) + ":" + r.Name }

// ParseSecretRef reads "store:NAME", "file:NAME" or "env:NAME"; a NAME alone is one
// of the store. The error is Invalid.
func ParseSecretRef(text string) (SecretRef, error) {
	source, name, ok := strings.Cut(text, ":")
	if !ok {
		source, name = string(SecretStore), text
	}
	r := SecretRef{SecretSource(source), name}
	switch r.Source {
	case SecretStore, SecretFile:
		return r, CheckSecretName(name)
	case SecretEnv:
		return r, checkVariable("secret", name)
	}
	return r, Errorf(Invalid, "secret %.60q: %.20q is no source; there are store:NAME (of the server), file:NAME and env:NAME (of the agent)", text, source)
}

// CheckSecretName checks the name of a secret, which must do as that of a file too.
func CheckSecretName(name string) error {
	if err := CheckName("secret", name); err != nil {
		return err
	}
	if strings.ContainsAny(name, "/:") || strings.HasPrefix(name, ".") {
		return Errorf(Invalid, "secret %.60q: a name has no slash or colon in it and does not begin with a dot", name)
	}
	return nil
}

// checkVariable checks the name of an environment variable.
func checkVariable(field, name string) error {
	if err := CheckName(field, name); err != nil {
		return err
	}
	if strings.Contains(name, "=") {
		return Errorf(Invalid, "%s: %.60q is not the name of a variable", field, name)
	}
	return nil
}

// checkVariables checks what the command says about variables, apart from Env.
func (c *Command) checkVariables() error {
	if n := len(c.EnvUnset) + len(c.Secrets); n > MaxList {
		return Errorf(Invalid, "env_unset and secrets: %d together; at most %d", n, MaxList)
	}
	for _, name := range c.EnvUnset {
		if err := checkVariable("env_unset", name); err != nil {
			return err
		}
	}
	if len(c.Secrets) == 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(c.Secrets)) {
		if err := checkVariable("secrets", name); err != nil {
			return err
		}
		if _, err := ParseSecretRef(c.Secrets[name]); err != nil {
			return Wrap(err, "", "secrets: "+name)
		}
		if slices.ContainsFunc(c.Env, func(e string) bool { return strings.HasPrefix(e, name+"=") }) {
			return Errorf(Invalid, "secrets: %s is set by env too; say one of them", name)
		}
	}
	return nil
}
