package storage

// ErrForPerson is the class of errors of a data directory that only an operator can fix: starting on it again ends
// the same way.
const ErrForPerson = forPerson("the data directory needs a person")

// ForPerson makes an error of that class.
func ForPerson(text string) error { return forPerson(text) }

type forPerson string

func (e forPerson) Error() string { return string(e) }

func (forPerson) Is(target error) bool { return target == ErrForPerson }
