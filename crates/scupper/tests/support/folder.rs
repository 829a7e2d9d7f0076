pub(crate) use scupper_testbed::Folder;
