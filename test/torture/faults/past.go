package faults

import (
	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// PastUser is the cache of a round that is over. Nobody writes to it any more.
type PastUser struct {
	Name     string
	Contents judge.Contents // without values
	Share    rig.Share
}

// small is how much memory a user may have that never loses anything: no limit of a run is so low, and no users are so
// many, that it is not within its guarantee.
const small = 512 << 10

// NewPastUser returns a user as it is now.
func NewPastUser(name string, s judge.Contents, share rig.Share) PastUser {
	return PastUser{Name: name, Contents: s.Digests(), Share: share}
}

// Judge wants the contents to be what they were, but for what is counted as evicted since.
func (u PastUser) Judge(s judge.Contents, share rig.Share) error {
	lost, err := s.Digests().Lost(u.Contents)
	evicted := share.Evicted - u.Share.Evicted
	switch {
	case err != nil:
		return judge.Violationf("the cache of %s is not what it was when its round was over: %v", u.Name, err)
	case lost > evicted:
		return judge.Violationf("the cache of %s has lost %d keys since its round was over, and %d are counted as evicted", u.Name, lost, evicted)
	case evicted > 0 && u.Share.Memory <= small:
		return judge.Violationf("%d keys of %s were evicted, which has only %d bytes", evicted, u.Name, u.Share.Memory)
	}
	return nil
}
