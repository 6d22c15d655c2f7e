package plants

import (
	"context"
	"errors"

	"ciderd/test/overlay"
)

// Build builds the daemon with the plants, and with the clock that torture moves.
func Build(ctx context.Context, root, out string, planted ...Plant) error {
	_, err := overlay.Go(ctx, root, with(planted), "build", "-o", out, "./cmd/ciderd")
	return err
}

// Compile compiles the program with all changes for tests at once: they do not exclude each other. If that
// fails it compiles each alone, and the error names those that are broken.
func Compile(ctx context.Context, root string) error {
	all := with(All)
	err := compile(ctx, root, all)
	if err == nil {
		return nil
	}
	var alone []error
	for _, c := range all {
		alone = append(alone, compile(ctx, root, []overlay.Change{c}))
	}
	if each := errors.Join(alone...); each != nil {
		return each
	}
	return err
}

func compile(ctx context.Context, root string, changes []overlay.Change) error {
	_, err := overlay.Go(ctx, root, changes, "build", "./cmd/...", "./internal/...")
	return err
}

func with(planted []Plant) []overlay.Change {
	changes := []overlay.Change{overlay.MovableClock}
	for _, p := range planted {
		changes = append(changes, p.Change)
	}
	return changes
}

// Named returns the plants of those names.
func Named(names ...string) (named []Plant, err error) {
	for _, name := range names {
		found := false
		for _, p := range All {
			if p.Name == name {
				named, found = append(named, p), true
			}
		}
		if !found {
			return nil, errors.New("there is no plant " + name)
		}
	}
	return named, nil
}
